local orders = app.topic('orders')
app.command('go', function()
  orders:send { key = 'k', vlaue = 1 }
end)
