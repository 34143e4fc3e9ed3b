app.tabel('totals', { default = 0 })
