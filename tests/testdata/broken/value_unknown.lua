app.topic('orders', { value = 'jsn' })
