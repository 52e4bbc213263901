"""The full MNIST, Fashion-MNIST and CIFAR-10."""
