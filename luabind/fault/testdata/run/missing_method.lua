local t = { mising = 1, missingg = function() end }
t:missing()
