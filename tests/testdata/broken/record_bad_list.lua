app.record('Order', { lines = '[Line' })
