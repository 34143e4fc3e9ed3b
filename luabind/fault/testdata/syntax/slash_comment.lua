// totals by country
local t = {}
t.x = 1 // set it here
