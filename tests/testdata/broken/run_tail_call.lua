local function inner(x) return x.y.z end
local function outer(x) return inner(x) end
app.command('go', function()
  local r = outer({})
end)
