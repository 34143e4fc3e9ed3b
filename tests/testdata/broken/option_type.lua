app.topic('orders', { partitions = 'four' })
