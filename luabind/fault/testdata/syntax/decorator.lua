@app.agent(topic)
local function f() end
