local ok = true
ok.field = 1
