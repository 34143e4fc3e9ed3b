local t = {}
local function f()
	if true then
		local x = 'æøå' .. t.missing .. '日本'
	end
end
f()
