#!/usr/bin/env -S faust run
-- An app in several files: records and topics in one, the agent in another.

local orders = require 'lib.orders'
require 'lib.pricing'

app.configure { id = 'shop', topic_partitions = 2 }

app.page('POST /orders/', { body = orders.Order }, function(request)
  orders.topic:send { key = request.body.customer, value = request.body }
  return nil, 202
end)

app.page('/invoices/', function() return json.array(require('lib.pricing').invoices) end)

app.main()
