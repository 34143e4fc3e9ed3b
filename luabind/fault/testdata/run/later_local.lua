local function run()
  helper(1)
end
local function helper(n) print(n) end
run()
