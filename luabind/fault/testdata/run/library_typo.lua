local s = string.formt('%d', 1)
