local app = { table = function() end, task = function() end }
local t = app.tabel('totals')
