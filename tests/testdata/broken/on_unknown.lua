app.on('partition_assigned', function() end)
