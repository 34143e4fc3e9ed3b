app.timer(-1, function() end)
