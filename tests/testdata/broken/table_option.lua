local totals = app.table('totals', { defualt = 0 })
