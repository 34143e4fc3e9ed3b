app.record('Order', { amount = { type = 'float', mni = 0 } })
