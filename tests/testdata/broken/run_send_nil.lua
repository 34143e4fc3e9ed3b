local orders = app.topic('orders')
app.command('go', function()
  orders:send { key = 'k', value = nil }
end)
