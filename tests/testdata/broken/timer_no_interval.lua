app.timer(function() end)
