app.record('Order', { id = 'strng', amount = 'float' })
