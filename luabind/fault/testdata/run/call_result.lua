local function make() return 5 end
make()(1)
