local totals = app.table('totals', { default = 0, value = 'flaot' })
