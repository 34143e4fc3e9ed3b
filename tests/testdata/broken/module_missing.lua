local users = require 'lib.usres'
