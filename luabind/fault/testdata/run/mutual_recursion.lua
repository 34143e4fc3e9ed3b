local b
local function a(n) b(n) return 1 end
function b(n) a(n) return 2 end
a(1)
