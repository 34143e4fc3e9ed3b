local db
local function get(k)
  return db[k]
end
get('x')
