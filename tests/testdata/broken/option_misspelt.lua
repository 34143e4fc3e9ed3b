local orders = app.topic('orders', {
  key = 'string',
  partitons = 4,
})
