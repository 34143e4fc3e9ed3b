local function g() return undefined_function() end
local function f() return g() end
local function h() f() end
h()
