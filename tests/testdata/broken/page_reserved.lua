app.page('/metrics', function(request) end)
