local totals = app.table('totals', { default = 0 })
local again = app.table('totals', { default = {} })
