local config = {}
for k, v in config.items do print(k, v) end
