local function f() end
print(f.name)
