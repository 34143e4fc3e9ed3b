local o = { n = { v = 1 } }
local s = o.n.v + o.n.v + o.m.v + o.n.v
