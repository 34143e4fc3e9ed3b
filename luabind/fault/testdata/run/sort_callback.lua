local t = { { n = 1 }, { m = 2 }, { n = 3 } }
table.sort(t, function(a, b) return a.n < b.n end)
