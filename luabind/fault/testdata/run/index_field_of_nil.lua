local function inner(o) return o.foo.bar end
local function outer()
  local x = inner({})
  return x
end
outer()
