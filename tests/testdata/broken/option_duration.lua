app.topic('orders', { retention = '7 days' })
