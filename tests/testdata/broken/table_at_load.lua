local totals = app.table('totals', { default = 0 })
totals.NO = 1
