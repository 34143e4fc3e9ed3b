local total
local function add(w)
  total = total + w.amount
end
add({ amount = 1 })
