local t = {}
		local å = 1
