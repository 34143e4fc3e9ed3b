local s = 'blåbær 日本' != 'x'
	local y = s != 1
