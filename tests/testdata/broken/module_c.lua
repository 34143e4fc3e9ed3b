local socket = require 'socket'
