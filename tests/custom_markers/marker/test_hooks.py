"""Recording activations of any module: copies, axes, and every way in which a stage can fail to fit."""

import re
from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from custom_markers.marker.hooks import HookError, Stage, record

TIME = "batch channel time"


class Block(nn.Module):
    """Gives a tuple, as many transformer blocks do."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, scale=None):
        y = self.linear(x)
        return y, y * (1.0 if scale is None else scale)


@dataclass
class Output:
    """A dataclass output."""

    hidden: torch.Tensor


class Network(nn.Module):
    """Convolution, batch norm, ReLU in place, dropout, a block that is called thrice, and outputs of other kinds."""

    def __init__(self):
        super().__init__()
        self.front = nn.ModuleDict({"conv": nn.Conv1d(1, 4, 5), "norm": nn.BatchNorm1d(4)})
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.block = Block()
        self.heads = nn.ModuleList([nn.Identity(), nn.Identity()])
        self.unused = nn.Linear(4, 4)
        self.sliced = nn.Identity()

    def forward(self, waves):
        x = self.dropout(self.relu(self.front["norm"](self.front["conv"](waves[:, None]))))  # [B, 4, T]
        x = x.transpose(1, 2)
        for step in range(3):
            x, scaled = self.block(x, scale=torch.tensor(step + 1.0))
        self.heads[0](OrderedDict(hidden=x))
        self.heads[1](Output(x))
        self.sliced(x[: len(x) // 2])
        return scaled


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Network()
    network.front["norm"].running_mean.uniform_(-1, 1)
    network.front["norm"].running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture
def waves():
    return torch.randn(2, 20, generator=torch.Generator().manual_seed(1))


def run(network, waves, *stages, **options):
    return record(network, stages, lambda: network(waves), **options)


def n_hooks(network) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


def test_copies_are_those_of_a_forward_pass_by_hand(network, waves):
    stages = [
        Stage("conv", "front.conv", TIME),
        Stage("norm", "front.norm", TIME),
        Stage("relu", "relu", TIME),
        Stage("out", "", "batch time unit"),
    ]
    got = run(network, waves, *stages)
    assert list(got) == ["conv", "norm", "relu", "out"]
    conv = nn.functional.conv1d(waves[:, None], network.front["conv"].weight, network.front["conv"].bias)
    norm = network.front["norm"]
    mean, var, weight, bias = (v[:, None] for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    normed = (conv - mean) / (var + norm.eps).sqrt() * weight + bias
    for name, expected in (("conv", conv), ("norm", normed), ("relu", normed.clamp(min=0))):
        assert (got[name] - expected).abs().max() < 1e-6
    assert torch.equal(got["out"], network(waves))
    assert not any(tensor.requires_grad for tensor in got.values())


def test_an_in_place_operation_later_does_not_change_the_copy(network, waves):
    got = run(network, waves, Stage("norm", "front.norm", TIME), Stage("relu", "relu", TIME))
    assert (got["norm"] < 0).any()
    assert (got["relu"] >= 0).all()


def test_an_input_is_copied_before_its_module_overwrites_it(network, waves):
    got = run(network, waves, Stage("before", "relu", TIME, "input"), Stage("norm", "front.norm", TIME))
    assert (got["before"] < 0).any()
    assert torch.equal(got["before"], got["norm"])


def test_it_works_in_inference_mode(network, waves):
    with torch.inference_mode():
        inside = run(network, waves, Stage("norm", "front.norm", TIME))["norm"]
    assert torch.equal(inside, run(network, waves, Stage("norm", "front.norm", TIME))["norm"])


def test_the_network_is_left_as_it_was(network, waves):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    run(network, waves, Stage("norm", "front.norm", TIME), Stage("relu", "relu", TIME, "input"))
    assert n_hooks(network) == 0
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    "stages",
    [
        [Stage("norm", "front.norm", TIME), Stage("block", "block", "batch time unit")],  # fails in a hook
        [Stage("norm", "front.norm", TIME), Stage("absent", "front.nrm", TIME)],  # fails while registering
    ],
)
def test_hooks_are_removed_when_something_fails(network, waves, stages):
    with pytest.raises(HookError):
        run(network, waves, *stages)
    assert n_hooks(network) == 0


def test_hooks_are_removed_when_the_network_fails(network):
    with pytest.raises(RuntimeError, match="Kernel size"):
        run(network, torch.zeros(2, 3), Stage("norm", "front.norm", TIME), Stage("relu", "relu", TIME, "input"))
    assert n_hooks(network) == 0


def test_hooks_of_others_stay(network, waves):
    seen = []
    network.relu.register_forward_hook(lambda *_: seen.append(1))
    run(network, waves, Stage("relu", "relu", TIME))
    assert seen == [1]
    assert n_hooks(network) == 1


def test_one_call_of_several_is_chosen(network, waves):
    calls = [
        run(network, waves, Stage("block", "block", "batch time unit", pick=1, call=call))["block"] for call in range(3)
    ]
    x = run(network, waves, Stage("relu", "relu", TIME))["relu"].transpose(1, 2)
    for step, got in enumerate(calls):
        x = network.block.linear(x)
        assert (got - x * (step + 1)).abs().max() < 1e-6
    last = run(network, waves, Stage("block", "block", "batch time unit", pick=1, call=-1))["block"]
    assert torch.equal(last, calls[2])


def test_parts_of_outputs_and_inputs_are_picked(network, waves):
    axes = "batch time unit"
    got = run(
        network,
        waves,
        Stage("tuple", "block", axes, pick=0, call=-1),
        Stage("key", "heads.0", axes, pick="hidden"),
        Stage("attribute", "heads.1", axes, pick="hidden"),
        Stage("position", "block", axes, "input", pick=0, call=0),
        Stage("only", "block", axes, "input", call=0),
        Stage("relu", "relu", TIME),
    )
    assert torch.equal(got["tuple"], got["key"])
    assert torch.equal(got["tuple"], got["attribute"])
    assert torch.equal(got["position"], got["relu"].transpose(1, 2))
    assert torch.equal(got["only"], got["position"])


def test_a_tuple_of_one_tensor_is_that_tensor():
    class One(nn.Module):
        def forward(self, x):
            return (x * 2,)

    got = record(network := One().eval(), [Stage("one", "", "batch unit")], lambda: network(torch.ones(3, 2)))
    assert torch.equal(got["one"], torch.full((3, 2), 2.0))


def test_a_function_is_applied_to_the_copy(network, waves):
    plain = run(network, waves, Stage("norm", "front.norm", TIME))["norm"]
    # in place, on the copy: what the network goes on with stays
    after = Stage("norm", "front.norm", TIME, after=lambda x: x.mul_(2))
    got = run(network, waves, after, Stage("relu", "relu", TIME))
    assert torch.equal(got["norm"], plain * 2)
    assert torch.equal(got["relu"], plain.clamp(min=0))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage("s", "front.nrm", TIME), r"Network has no submodule of that path; did you mean front\.norm"),
        (Stage("s", "xxxxxxxx", TIME), r"no submodule of that path; it has front, front\.conv, front\.norm, relu"),
        (Stage("s", "unused", TIME), r"the module was never called in this pass"),
        (Stage("s", "heads", TIME), r"the module was never called in this pass\. Containers \(ModuleList\)"),
        (Stage("s", "block.linear", TIME), r"the module was called 3 times in this pass .*`call=`"),
        (Stage("s", "block.linear", TIME, call=3), r"was called 3 times in this pass; there is no such call"),
        (Stage("s", "block", TIME), r"tuple\(Tensor, Tensor\) is no tensor; `pick=`"),
        (Stage("s", "heads.0", TIME), r"OrderedDict\(hidden: Tensor\) is no tensor"),
        (Stage("s", "block", TIME, pick=2), r"gives tuple\(Tensor, Tensor\), which has no part 2"),
        (Stage("s", "heads.1", TIME, pick="hiden"), r"gives Output, which has no part 'hiden'"),
        (Stage("s", "block", TIME, "input", pick="x"), r"called with tuple\(Tensor\) and the keywords scale"),
        (Stage("s", "block", TIME, "input", pick=1), r"called with tuple\(Tensor\) and the keywords scale"),
        (Stage("s", "heads.1", TIME, "input"), r"called with tuple\(Output\) and the keywords none; say with `pick=`"),
        (Stage("s", "relu", "batch time"), r"the tensor has shape \[2, 4, 16\], 3 axes; 2 are named"),
        (Stage("s", "relu", "channel batch time"), r"axis `batch` has size 4; 2 sounds were given"),
        (Stage("s", "sliced", "batch time unit"), r"axis `batch` has size 1; 2 sounds were given"),
        (Stage("s", "relu", TIME, after=lambda x: x[:, :0]), r"the tensor is empty, its shape is \[2, 0, 16\]"),
        (Stage("s", "relu", TIME, after=lambda x: x * 1j), r"the tensor is complex; say with `after=`"),
        (Stage("s", "relu", TIME, after=lambda x: [x]), r"list\(Tensor\) is no tensor"),
        (Stage("s", "relu", TIME, after=lambda x: x / 0), r"128 of 128 values are not finite"),
    ],
)
def test_a_stage_that_does_not_fit_is_explained(network, waves, stage, expected):
    with pytest.raises(HookError, match=expected) as caught:
        run(network, waves, stage, batch=2)
    assert str(caught.value).startswith("stage 's' (")
    assert n_hooks(network) == 0


def test_values_that_are_not_finite_may_be_asked_for(network, waves):
    stage = Stage("s", "relu", TIME, after=lambda x: x / 0)
    assert not run(network, waves, stage, finite=False)["s"].isfinite().any()


def test_without_a_number_the_stages_must_agree_on_the_batch(network, waves):
    stages = [Stage("relu", "relu", TIME), Stage("sliced", "sliced", "batch time unit")]
    with pytest.raises(HookError, match=r"'sliced'.*has size 1; 2 sounds were given"):
        run(network, waves, *stages)


@pytest.mark.parametrize("part", ["", "dropout", "front.norm"])
def test_training_mode_of_any_submodule_is_refused(network, waves, part):
    network.get_submodule(part).train()
    where = part or "the network itself"
    with pytest.raises(HookError, match=rf"Network is in training mode \({re.escape(where)}\)"):
        run(network, waves, Stage("relu", "relu", TIME))


def test_two_stages_of_one_name_are_refused(network, waves):
    with pytest.raises(HookError, match="the same name"):
        run(network, waves, Stage("a", "relu", TIME), Stage("a", "front.norm", TIME))


@pytest.mark.parametrize(
    "changes",
    [
        {"axes": "time unit"},
        {"axes": "batch time time"},
        {"axes": "batch batch unit"},
        {"axes": "batch unit unit"},
        {"axes": ""},
        {"source": "outputs"},
        {"call": -2},
    ],
)
def test_a_stage_that_cannot_be_is_refused_at_once(changes):
    key, value = next(iter(changes.items()))
    with pytest.raises(HookError, match=rf"stage 'a': {key} {re.escape(repr(value))}"):
        Stage(**{"name": "a", "module": "b", "axes": TIME, **changes})


def test_axes_are_arranged_as_named():
    tensor = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # [B, C, F, T]
    arranged = Stage("s", "", "batch channel frequency time").arranged(tensor)
    assert arranged.shape == (2, 5, 12)
    for b, c, f, t in ((0, 0, 0, 0), (1, 2, 3, 4), (1, 0, 3, 2), (0, 1, 0, 4)):
        assert arranged[b, t, c * 4 + f] == tensor[b, c, f, t]
    first = Stage("s", "", "time batch unit").arranged(tensor[0])  # [T, B, D]
    assert torch.equal(first, tensor[0].transpose(0, 1))
    assert torch.equal(Stage("s", "", "unit batch").arranged(tensor[0, 0]), tensor[0, 0].T)
    assert torch.equal(Stage("s", "", "batch").arranged(tensor[0, 0, 0]), tensor[0, 0, 0][:, None])


def test_a_stage_says_where_it_is():
    stage = Stage("s", "encoder.3", "batch time unit", "input", pick=0, call=-1, after=torch.abs)
    assert str(stage) == "input[0] of encoder.3, call -1, then _VariableFunctionsClass.abs: batch time unit"
    assert str(Stage("s", "", "batch unit")) == "output of the network: batch unit"


# ---------------------------------------------------------------------------------------------- folded axes


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_folded_axis_is_taken_apart_by_the_number_of_sounds(batch):
    network = nn.Sequential(nn.Identity()).eval()
    apart = torch.arange(batch * 5 * 2.0).reshape(batch, 5, 2)
    together = {"batch*time unit": apart.flatten(0, 1), "unit time*batch": apart.permute(2, 1, 0).flatten(1)}
    for axes, tensor in together.items():
        stage = Stage("layer", "0", axes)
        recorded = record(network, [stage], lambda tensor=tensor: network(tensor), batch=batch)["layer"]
        torch.testing.assert_close(stage.arranged(recorded), apart, rtol=0, atol=0)
        assert stage.has_time


def test_another_word_folded_into_the_batch_becomes_units():
    stage = Stage("layer", "0", "batch*channel time")
    network = nn.Sequential(nn.Identity()).eval()
    tensor = torch.arange(24.0).reshape(6, 4)  # 2 sounds x 3 channels
    recorded = record(network, [stage], lambda: network(tensor), batch=2)["layer"]
    assert stage.arranged(recorded).shape == (2, 4, 3)
    torch.testing.assert_close(stage.arranged(recorded)[1, :, 2], tensor[5])


@pytest.mark.parametrize(
    ("batch", "message"),
    [(4, "has size 6, which is no multiple of the 4 sounds"), (None, "how many sounds the folded axis holds")],
)
def test_a_folded_axis_that_does_not_hold_the_sounds_is_refused(batch, message):
    network = nn.Sequential(nn.Identity()).eval()
    with pytest.raises(HookError, match=message):
        record(network, [Stage("layer", "0", "batch*time unit")], lambda: network(torch.zeros(6, 2)), batch=batch)


@pytest.mark.parametrize(
    "axes", ["batch*time*unit", "batch unit*time", "batch*time time", "batch* unit", "batch*batch"]
)
def test_axes_that_are_folded_otherwise_are_refused(axes):
    with pytest.raises(HookError, match=re.escape(repr(axes))):
        Stage("layer", "0", axes)
