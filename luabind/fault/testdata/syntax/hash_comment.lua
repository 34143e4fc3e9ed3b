# totals by country
local t = {}
