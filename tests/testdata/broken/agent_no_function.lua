local orders = app.topic('orders')
app.agent('a', orders)
