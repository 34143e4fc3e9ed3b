app.record('Order', 'string')
