"""The domain: images, jobs, announcements, and the ports to stores and queues."""
