local orders = app.topic('orders')
app.command('go', function()
  orders.send { key = 'k', value = 1 }
end)
