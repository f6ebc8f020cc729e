"""Hessian-free optimisation for PyTorch (Martens 2010; Martens and Sutskever 2011).

    from recurrency.optim import HessianFree

    optimiser = HessianFree(module, damp={"h": 0.03})
    for x, goal in batches:
        loss = optimiser.step(x=x, goal=goal)     # a module of a spec with a loss: the arguments of `module.loss`

    optimiser = HessianFree(net)                  # any nn.Module: a closure returns the loss, and what it reads

    def closure():
        outputs = net(x)
        return torch.nn.functional.cross_entropy(outputs, goal), outputs

    loss = optimiser.step(closure)

The algorithm is that of `recurrency train --optimiser hessian-free` (`recurrency.training.loop.hessian_free`).
"""

from recurrency.extras import install

try:
    from recurrency.optim.hessian_free import HessianFree as HessianFree
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError(f"recurrency.optim needs PyTorch: {install('torch')}") from error
