app.topic('orders')
app.topic('orders')
