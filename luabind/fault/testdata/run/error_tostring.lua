local E = setmetatable({}, { __tostring = function() return 'my own error' end })
error(E)
