"""Credit assignment where the true derivative is useless or missing: substitutes for backpropagation's signal."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["noprop", "recoding", "rectified_ste", "surrogate_ntk"],
    {
        "noprop": [
            "BackpropChain", "class_medoids", "ConvDenoisingBlock", "ct_loss", "DenoisingBlocks", "dt_loss", "fm_loss",
            "kl_to_prior", "LearnedSchedule", "NoPropCT", "NoPropDT", "NoPropFM", "saved_activation_bytes", "TimeBlock",
        ],
        "recoding": [
            "AnchoredEnsembleDecoder", "error_signal", "error_signal_grad", "exact_surprisal", "garden_path_corpus",
            "LSTMLanguageModel", "Recoder", "RecodingTrace", "StepSize", "stimulus_pairs", "Vocabulary",
        ],
        "rectified_ste": [
            "BinaryConv2d", "BinaryLinear", "BinaryMLPEnsemble", "binarize", "estimating_error", "estimator",
            "estimator_grad", "gradient_instability", "o_schedule", "resnet20_1w1a", "reste_sign", "set_o",
            "tau_schedule", "vgg_small_1w1a",
        ],
        "surrogate_ntk": [
            "control_variate_mean", "ensemble_prediction", "kernel_flow", "kernels", "MLPEnsemble", "stable_eta",
            "Surrogate", "SurrogateSign",
        ],
    },
)
