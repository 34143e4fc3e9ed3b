local W = app.record('W', { user = 'string' })
local orders = app.topic('orders', { value = W })
app.command('go', function()
  orders:send { value = { usr = 'u' } }
end)
